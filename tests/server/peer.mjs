// A viewer that npm's `ws` makes; does as peer.py does. AXIOM_WS names the directory of node_modules.
import { createRequire } from "node:module";
import { appendFileSync, readFileSync } from "node:fs";

const WebSocket = createRequire(`${process.env.AXIOM_WS}/x.js`)("ws");
const [port, directory, dropAfter] = process.argv.slice(2);
const token = readFileSync(0, "utf8").trim();
const told = { drops: 0, wrong: [], gaps: 0 };
let cursor = null;
let ended = 0;

function look() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ["axiom.v1", `axiom.token.${token}`], {
    maxPayload: 0,
    perMessageDeflate: false,
  });
  let number = -2;
  let dropped = false;
  socket.on("message", (message) => {
    if (dropped) return;
    number += 1;
    const text = {};
    for (const line of message.toString().split("\n")) {
      if (!line) continue;
      const event = JSON.parse(line);
      if (event.type === "hello") {
        socket.send(JSON.stringify({ type: "subscribe", data: { after: cursor, stats: 0 } }));
        continue;
      }
      if (event.type === "end") {
        console.log(JSON.stringify(told));
        process.exit(0);
      }
      told.gaps += event.type === "gap";
      if (event.cursor !== (cursor === null ? 0 : cursor + 1)) told.wrong.push([cursor, event.cursor]);
      cursor = event.cursor;
      ended += event.type === "complete";
      if (ended === 10) appendFileSync(`${directory}/go`, "");
      if (event.type === "stream") {
        text[event.data.name] = (text[event.data.name] ?? "") + event.data.text;
      }
    }
    for (const [name, block] of Object.entries(text)) appendFileSync(`${directory}/${name}`, block);
    if (number >= dropAfter && told.drops < 5) {
      told.drops += 1;
      dropped = true;
      if (told.drops % 2) socket.terminate();
      else socket.close();
      socket.on("close", look);
    }
  });
}
look();
