/**
 * Logs that nobody wrote, in the shape of the real ones: as many files and
 * lines, a few hundred nicks a file who talk in bursts, come, go and rename
 * themselves, and text of all the kinds that people type.
 */
import { pick, randomBelow, seededRandom, type Random } from "./random.ts";

export interface SyntheticOptions {
  readonly seed: number;
  readonly files: number;
  /** Lines of each file. */
  readonly lines: number;
}

/** The shape of the real corpus. */
export const REAL_SHAPE = { files: 35, lines: 1_443 } as const;

const NICKS_PER_FILE = 215;
/** Nicks that are known in all files, as bots and regulars are. */
const REGULARS = ["helpbot", "Old_Hand", "[away]Kim", "zoe`", "x|x", "night-owl_"] as const;
/** Chances of the kinds of lines; what is left are messages. */
const CHANCE = { join: 0.07, leave: 0.012, rename: 0.022, action: 0.003, notice: 0.004 } as const;
/** Chance that the next message is of the nick that spoke last. */
const BURST_CHANCE = 0.25;
const LINES_PER_MINUTE = 7;

const WORDS =
  "the a it is my install kernel apt-get sudo driver card sound try again thanks reboot hello who what how root grub wifi screen fix paste line file old new".split(
    " ",
  );
const ODD_TEXTS = [
  "",
  " leading and trailing ",
  "cafe\u0301 nai\u0308ve A\u030a", // not in NFC: brought there before it is compared
  "\u0002bold\u000f and \u000304red",
  "http://example.org/?q=a%20b&c=<d>#e",
  "<notanick> quoted > again",
  "$(rm -rf /) `id` \\n \\x00 %s {}",
  "日本語のメッセージ 👩‍👩‍👧 \u202eright to left",
  "=== not a notice",
  "[12:34] <x> not a time",
  "\ttabs\tinside\t",
  `${"long ".repeat(92)}end`,
] as const;
const ODD_CHANCE = 0.05;

export interface SyntheticLog {
  readonly name: string;
  readonly content: string;
}

/** The same options give the same logs. */
export function syntheticLogs({ seed, files, lines }: SyntheticOptions): SyntheticLog[] {
  const random = seededRandom(seed);
  return Array.from({ length: files }, (_, i) => {
    const writer = new LogWriter(random, i);
    const rows = Array.from({ length: lines }, (_, at) => writer.row(at));
    return {
      name: `synthetic-${String(i + 1).padStart(2, "0")}.txt`,
      content: `${rows.join("\n")}\n`,
    };
  });
}

class LogWriter {
  readonly #random: Random;
  readonly #nicks: string[];
  readonly #startMinute: number;
  #last: string;

  constructor(random: Random, file: number) {
    this.#random = random;
    const own = Array.from({ length: NICKS_PER_FILE }, (_, i) => `nick${file}_${i}`);
    this.#nicks = [...REGULARS, ...own];
    this.#startMinute = randomBelow(random, 24 * 60);
    this.#last = REGULARS[0];
  }

  row(at: number): string {
    const random = this.#random;
    let chance = random();
    const falls = (share: number): boolean => (chance -= share) < 0;
    const nick = this.#nick();
    if (falls(CHANCE.join)) return `=== ${nick} [~user@host.example]  has joined #synthetic`;
    if (falls(CHANCE.leave)) return `=== ${nick} [~user@host.example]  has left #synthetic ["bye"]`;
    if (falls(CHANCE.rename)) return `=== ${nick} is now known as ${this.#nick()}`;
    if (falls(CHANCE.notice)) return `=== mode/#synthetic [+o ${nick}]  by ${REGULARS[0]}`;
    if (falls(CHANCE.action)) return `${this.#time(at)}  * ${nick} ${this.#words()}`;
    this.#last = random() < BURST_CHANCE ? this.#last : nick;
    const text = random() < ODD_CHANCE ? pick(random, ODD_TEXTS) : this.#words();
    return `${this.#time(at)} <${this.#last}> ${text}`;
  }

  /** A few talk much, many talk little. */
  #nick(): string {
    return this.#nicks[Math.floor(this.#random() ** 2 * this.#nicks.length)] as string;
  }

  #words(): string {
    const count = 1 + randomBelow(this.#random, 18);
    return Array.from({ length: count }, () => pick(this.#random, WORDS)).join(" ");
  }

  #time(at: number): string {
    const minute = this.#startMinute + Math.floor(at / LINES_PER_MINUTE);
    const two = (value: number): string => String(value).padStart(2, "0");
    return `[${two(Math.floor(minute / 60) % 24)}:${two(minute % 60)}]`;
  }
}
