/** `millrace chat`: finds the edge and the token, then hands over to the terminal. */
import { ConfigError, type Config, type Flags } from "../config.ts";
import { chat } from "./chat.ts";
import { tokenFor } from "./token.ts";

export async function chatFrom(config: Config, options: Flags): Promise<void> {
  const user = String(options["as"]);
  const url = options["url"] === undefined ? urlOf(config) : String(options["url"]);
  if (!URL.canParse(url)) throw new ConfigError(`--url: expected an address, not "${url}"`);
  const given = options["token"];
  await chat({
    url,
    user,
    room: String(options["room"]),
    token: given === undefined ? await tokenFor(config, user) : String(given),
    color: process.stdout.isTTY && process.stdout.hasColors(),
  });
}

/** The edge of this machine that the settings describe. */
function urlOf({ host, port }: Config): string {
  const everywhere = host === "0.0.0.0" || host === "::";
  const name = everywhere ? "127.0.0.1" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}
