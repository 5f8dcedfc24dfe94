import { DEVICE_ID, type CommandNumber, type DeviceId } from "../protocol/ids.ts";

export interface DeviceState {
  readonly device: DeviceId;
  /** The last command number given out; 0 before the first. */
  readonly lastK: number;
}

/**
 * Where a device keeps its name and its last command number. `save` has to be
 * done when it returns: a number given out twice makes the server take the
 * second command for a copy of the first, and the message would be lost.
 *
 * One store belongs to one running client. Two tabs that share one would count
 * alike, so give each tab its own key.
 */
export interface DeviceStore {
  load(): DeviceState | null;
  save(state: DeviceState): void;
}

/** A device that ends with the process. An id given here must never have been used before. */
export function memoryDevice(device: string = randomId(Math.random)): DeviceStore {
  let state: DeviceState = { device: checkedDevice(device), lastK: 0 };
  return {
    load: () => state,
    save: (next) => {
      state = next;
    },
  };
}

/** The part of `localStorage` that is needed here. */
export interface StringStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** A device that lives as long as the storage, for example `localStorage`. */
export function storedDevice(storage: StringStorage, key: string): DeviceStore {
  return {
    load: () => parseState(storage.getItem(key)),
    save: (state) => storage.setItem(key, `${state.device} ${state.lastK}`),
  };
}

/** Null for anything that `storedDevice` did not write: a new device is safer than a reused number. */
function parseState(text: string | null): DeviceState | null {
  const [device, digits] = (text ?? "").split(" ");
  const lastK = Number(digits);
  if (!device || !DEVICE_ID.test(device) || !Number.isSafeInteger(lastK) || lastK < 0) return null;
  return { device: device as DeviceId, lastK };
}

/** Gives out command numbers; each is stored before it is used. */
export class Device {
  readonly #store: DeviceStore;
  #state: DeviceState;

  constructor(store: DeviceStore, random: () => number) {
    this.#store = store;
    this.#state = store.load() ?? { device: checkedDevice(randomId(random)), lastK: 0 };
  }

  get id(): DeviceId {
    return this.#state.device;
  }

  /** The number that `take` would give. */
  get next(): CommandNumber {
    return (this.#state.lastK + 1) as CommandNumber;
  }

  take(): CommandNumber {
    const k = this.next;
    const state = { device: this.#state.device, lastK: k };
    this.#store.save(state);
    this.#state = state;
    return k;
  }
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
/** 20 of 36 letters are about 103 bits: no two will ever be equal. A name, no secret. */
const ID_CHARS = 20;

function randomId(random: () => number): string {
  const letters = Array.from(
    { length: ID_CHARS },
    () => ALPHABET[Math.floor(random() * ALPHABET.length)],
  );
  return letters.join("");
}

function checkedDevice(device: string): DeviceId {
  if (!DEVICE_ID.test(device)) throw new RangeError(`a device id is like ${DEVICE_ID.source}`);
  return device as DeviceId;
}
