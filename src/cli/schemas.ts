import { config } from 'zod';

/** Compiling each schema to a function of its own pays after thousands of documents; a command reads a few. */
config({ jitless: true });
