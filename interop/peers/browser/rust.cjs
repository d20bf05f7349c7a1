// The page of the sample `chat` whose client is Rust: what `chat` does, with the program that `ws-topics/examples/chat_page/build` has made.
"use strict";
const {chat} = require("./chat.cjs");

module.exports = browser => chat(browser, "/rust", "chat-rust", "--rust", `${process.env.CARGO_TARGET_DIR || "target"}/chat-page`);
