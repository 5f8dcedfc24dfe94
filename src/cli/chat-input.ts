/** What a typed line asks for. */
export type ChatInput =
  | { readonly type: "nothing" }
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "join" | "create"; readonly room: string }
  | { readonly type: "invite" | "dm"; readonly user: string }
  | { readonly type: "edit"; readonly text: string }
  | { readonly type: "react"; readonly reaction: string }
  | { readonly type: "leave" | "delete" | "older" | "who" | "rooms" | "help" | "quit" }
  | { readonly type: "wrong"; readonly problem: string };

export const CHAT_HELP = [
  "/join ROOM     enter a room; a new one is made when there is none",
  "/create NAME   make a public room of that name and enter it",
  "/invite USER   let somebody into this room",
  "/dm USER       talk to one person",
  "/me DOES       say it as an action",
  "/edit TEXT     change your last message",
  "/delete        delete your last message",
  "/react EMOJI   react to the last message of somebody else",
  "/older         what was said before",
  "/who           who is here",
  "/leave         leave this room",
  "/rooms         the rooms that you are in",
  "/quit          end (or Ctrl-D)",
  "//TEXT         a message that begins with a slash",
] as const;

export function parseInput(line: string): ChatInput {
  const text = line.trim();
  if (text === "") return { type: "nothing" };
  if (text.startsWith("//")) return { type: "say", text: text.slice(1) };
  const match = /^\/(\S+)\s*(.*)$/s.exec(text);
  if (!match) return { type: "say", text };
  const [, name = "", rest = ""] = match;
  switch (name) {
    case "me":
      return rest ? { type: "say", text } : missing("/me", "what you do");
    case "join":
    case "create":
      return rest ? { type: name, room: rest } : missing(`/${name}`, "a room");
    case "invite":
    case "dm":
      return rest ? { type: name, user: rest } : missing(`/${name}`, "a user");
    case "edit":
      return rest ? { type: name, text: rest } : missing("/edit", "the new text");
    case "react":
      return rest ? { type: name, reaction: rest } : missing("/react", "an emoji");
    case "leave":
    case "delete":
    case "older":
    case "who":
    case "rooms":
    case "help":
    case "quit":
      return { type: name };
    default:
      return { type: "wrong", problem: `there is no /${name}; /help shows what there is` };
  }
}

function missing(command: string, what: string): ChatInput {
  return { type: "wrong", problem: `${command} needs ${what}` };
}
