/** An edge's connections to Redis: opened together, checked, closed together. */
import type { Log } from "../ops/log.ts";
import type { AckLevel } from "../protocol/frames.ts";
import { connectForCommands, type Redis } from "../redis/connect.ts";
import { PlainLink } from "../redis/plain-link.ts";
import { checkRedis } from "../redis/requirements.ts";
import { BlockingReader } from "../redis/streams-reader.ts";
import { Subscriber } from "../redis/subscriber.ts";
import { openDeployment } from "../streams/deployment.ts";
import type { Keys } from "../streams/keys.ts";

export interface Links {
  /** Pages of history, tickets, sweeps. */
  readonly redis: Redis;
  /** Appends and paced reads: nothing else may delay them. */
  readonly hot: PlainLink;
  readonly blocking: BlockingReader;
  /** Signs of typing, of all edges, and whose list of rooms has changed. */
  readonly news: Subscriber;
  close(): void;
}

/** Rejects, with nothing left open, when Redis cannot be reached, is not fit or holds another layout. */
export async function openLinks(options: {
  url: string;
  edge: string;
  ack: AckLevel;
  keys: Keys;
  log: Log;
}): Promise<Links> {
  const { url, edge, ack, keys, log } = options;
  const redis = await connectForCommands({ url, name: `edge ${edge}`, log });
  const opened: { disconnect(): void }[] = [redis];
  const close = (): void => {
    for (const connection of opened) connection.disconnect();
  };
  try {
    await checkRedis(redis, ack, log);
    await openDeployment(redis, keys);
    const name = `edge hot ${edge}`;
    const hot = await PlainLink.over(await connectForCommands({ url, name, log }), log);
    opened.push(hot);
    const blocking = await BlockingReader.connect({ url, name: `edge read ${edge}`, log });
    opened.push({ disconnect: () => blocking.close() });
    const named = { url, name: `edge news ${edge}`, log };
    const news = await Subscriber.connect(named, keys.typing(), keys.listNews());
    opened.push({ disconnect: () => news.close() });
    return { redis, hot, blocking, news, close };
  } catch (error) {
    close();
    throw error;
  }
}
