/** What is used of the package. A bundle knows names of a CommonJS package where they are imported one by one. */
export { isMap, isScalar, parseDocument, visit } from 'yaml';
