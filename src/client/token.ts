import { ClientError } from "./client-error.ts";

export type TokenOption = string | (() => Promise<string>);

/** Asks the application for tokens and remembers the last one for HTTP. */
export class TokenSource {
  readonly #token: TokenOption;
  #latest: string | null = null;

  constructor(token: TokenOption) {
    this.#token = token;
  }

  /** A token for a new connection. Rejects with what the application's function rejects with. */
  async fresh(): Promise<string> {
    const token = typeof this.#token === "string" ? this.#token : await this.#token();
    if (token === "") throw new ClientError("unauthorized", "the token is empty");
    this.#latest = token;
    return token;
  }

  async latest(): Promise<string> {
    return this.#latest ?? (await this.fresh());
  }
}
