/** In a file of its own, because the shortest idle timeout of uWebSockets.js takes a while. */
import { describe, expect, it } from "vitest";

import { loadUws } from "../../src/edge/sockets/server-uws.ts";
import { createWsServer } from "../../src/edge/sockets/server-ws.ts";
import { Rig, until } from "./socket-server.harness.ts";

const ADAPTERS = [loadUws(), createWsServer];

describe("a peer that answers no ping", () => {
  it("[SE25] is closed after the idle timeout, one that answers stays, on both adapters", async () => {
    const idle = { idleTimeoutSec: 8 };
    const all = ADAPTERS.map((create) => new Rig(create, {}, idle));
    for (const rig of all) {
      await rig.listen(0);
      await rig.connect({ autoPong: false });
      await rig.connect({ autoPong: true });
    }
    const closes = (): number[][] => all.flatMap(({ recorders }) => recorders.map((r) => r.closes));
    await until(() => closes().filter((codes) => codes.length > 0).length === all.length);
    expect(closes()).toEqual([[1006], [], [1006], []]);
    for (const rig of all) await rig.stop();
  });
});
