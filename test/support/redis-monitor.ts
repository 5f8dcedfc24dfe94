/**
 * Redis's MONITOR over a socket of our own: ioredis loses its place when the
 * first report comes in one packet with the answer to the command.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** `<time> [<db> <source>] "<arg>" "<arg>" …` */
const REPORT = /^\+[\d.]+ \[\d+ (?<source>[^\]]*)\] "(?<args>.*)"$/;

export class RedisMonitor {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** `source` is `lua` for what a script runs; arguments are as Redis escapes them. */
  static async start(
    socketPath: string,
    onCommand: (args: readonly string[], source: string) => void,
  ): Promise<RedisMonitor> {
    const socket = connect(socketPath);
    await once(socket, "connect");
    const lines = createInterface({ input: socket, crlfDelay: Infinity });
    const answered = once(lines, "line");
    lines.on("line", (line) => {
      const { source, args } = REPORT.exec(line)?.groups ?? {};
      if (args !== undefined) onCommand(args.split('" "'), source ?? "");
    });
    socket.write("MONITOR\r\n");
    const [answer] = (await answered) as [string];
    if (answer !== "+OK") throw new Error(`Redis answered MONITOR with ${answer}`);
    return new RedisMonitor(socket);
  }

  stop(): void {
    this.#socket.destroy();
  }
}
