/**
 * Writes samples to a Prometheus as k6 does: the remote-write protocol, protobuf
 * in a snappy block. Nothing is compressed: a block may consist of literals.
 */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Rejects with what Prometheus said. */
export async function remoteWrite(address: string, samples: readonly Sample[]): Promise<void> {
  const series = samples.map((sample) => field(1, seriesOf(sample, Date.now())));
  const answer = await fetch(`${address}/api/v1/write`, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
    body: new Uint8Array(literals(Buffer.concat(series))),
  });
  if (!answer.ok) throw new Error(`remote write: ${answer.status} ${await answer.text()}`);
}

function seriesOf({ labels, value }: Sample, atMs: number): Buffer {
  // Prometheus wants them sorted.
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const encoded = pairs.map(([name, text]) =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(text))])),
  );
  const double = Buffer.alloc(9);
  double[0] = (1 << 3) | 1;
  double.writeDoubleLE(value, 1);
  const time = Buffer.concat([Buffer.from([2 << 3]), varint(atMs)]);
  return Buffer.concat([...encoded, field(2, Buffer.concat([double, time]))]);
}

/** A field of bytes: tag, length, content. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const LITERAL_BYTES_MAX = 65_536;

function literals(content: Buffer): Buffer {
  const parts = [varint(content.length)];
  for (let at = 0; at < content.length; at += LITERAL_BYTES_MAX) {
    const chunk = content.subarray(at, at + LITERAL_BYTES_MAX);
    const size = chunk.length - 1;
    parts.push(Buffer.from([61 << 2, size & 0xff, size >> 8]), chunk);
  }
  return Buffer.concat(parts);
}
