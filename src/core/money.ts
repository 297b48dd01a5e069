import * as z from 'zod';
import { unsigned } from './json.ts';

/** Amounts are decimals with at most six places. They are added as whole millionths, so 0.1 + 0.2 is 0.3. */
const microsPerUnit = 1_000_000n;
const placesMax = 6;

/** The millionths of an amount, from its shortest decimal form. */
export function microsOf(amount: number): bigint {
  const [mantissa = '0', exponent = '0'] = String(amount).split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '0', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent) - fraction.length + placesMax;
  const micros = shift >= 0 ? digits * 10n ** BigInt(shift) : divideHalfEven(digits, 10n ** BigInt(-shift));
  return negative ? -micros : micros;
}

function divideHalfEven(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const twice = (value % divisor) * 2n;
  const up = twice > divisor || (twice === divisor && quotient % 2n === 1n);
  return up ? quotient + 1n : quotient;
}

export function amountOf(micros: bigint): number {
  if (micros === 0n) return 0;
  const negative = micros < 0n;
  const absolute = negative ? -micros : micros;
  const text = `${absolute / microsPerUnit}.${String(absolute % microsPerUnit).padStart(placesMax, '0')}`;
  return negative ? -Number(text) : Number(text);
}

/** An amount rounded half-even to six places. Anything that is no number stays what it is. */
export function rounded(amount: number): number {
  return Number.isFinite(amount) ? amountOf(microsOf(amount)) : amount;
}

/** The exact sum of amounts. */
export function sumAmounts(amounts: Iterable<number>): number {
  let micros = 0n;
  for (const amount of amounts) micros += microsOf(amount);
  return amountOf(micros);
}

/** An amount as stored: finite, at most six places, at most 1e12 in size; negative only for corrections. */
export const SignedAmount = z
  .number()
  .refine((amount) => Math.abs(amount) <= 1e12, 'is no amount up to 1e12')
  .refine((amount) => amountOf(microsOf(amount)) === amount, 'has more than six decimal places')
  .overwrite(unsigned);

export const Amount = SignedAmount.refine((amount) => amount >= 0, 'is negative');
