/** What keeps the model from answering. Codes are what scripts test for: never rename one. */
export const FAULTS = {
  /** A flag that is no number within its bounds, or flags that do not fit together. */
  "bad-flag": 2,
  /** A scenario that the model cannot do without was never measured. */
  "missing-result": 3,
  /** A result has not what the model needs of it, or is none because something was lost. */
  "bad-result": 4,
} as const;
export type FaultCode = keyof typeof FAULTS;

export class CapacityError extends Error {
  override readonly name = "CapacityError";
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string) {
    super(message);
    this.code = code;
  }
}
