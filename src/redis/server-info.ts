/** What Redis says of itself, as far as an operator has to watch it. */
import { pipeline, type Redis } from "./connect.ts";
import { asInteger, asText } from "./replies.ts";

export interface ServerInfo {
  readonly memoryBytes: number;
  /** 0: there is no limit. */
  readonly memoryMaxBytes: number;
  readonly clients: number;
  readonly keys: number;
  readonly commands: number;
  readonly cpuSeconds: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** False when the last write to the append-only file failed. */
  readonly appendFileOk: boolean;
  readonly fsyncsDelayed: number;
  readonly uptimeSeconds: number;
}

/** Rejects when Redis is away or answers something else than INFO. */
export async function readServerInfo(redis: Redis): Promise<ServerInfo> {
  const [info, keys] = await pipeline(redis, [["INFO"], ["DBSIZE"]]);
  const fields = new Map(
    asText(info)
      .split("\r\n")
      .map((line) => line.split(":", 2) as [string, string]),
  );
  const number = (name: string): number => {
    const value = Number(fields.get(name));
    if (Number.isNaN(value)) throw new Error(`INFO has no number ${name}`);
    return value;
  };
  return {
    memoryBytes: number("used_memory"),
    memoryMaxBytes: number("maxmemory"),
    clients: number("connected_clients"),
    keys: asInteger(keys),
    commands: number("total_commands_processed"),
    cpuSeconds: number("used_cpu_user") + number("used_cpu_sys"),
    receivedBytes: number("total_net_input_bytes"),
    sentBytes: number("total_net_output_bytes"),
    appendFileOk: fields.get("aof_last_write_status") === "ok",
    fsyncsDelayed: fields.has("aof_delayed_fsync") ? number("aof_delayed_fsync") : 0,
    uptimeSeconds: number("uptime_in_seconds"),
  };
}
