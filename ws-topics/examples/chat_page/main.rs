//! The page of the sample `chat` with a client in Rust, in the browser: connecting again, resuming, and reporting what was lost are those of
//! `TopicsClient`. `ws-topics/examples/chat_page/build` builds it, and prints how it is served.

#[cfg(target_arch = "wasm32")]
mod chat;
#[cfg(target_arch = "wasm32")]
mod page;

fn main() {
    #[cfg(target_arch = "wasm32")]
    chat::start();
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("chat_page runs in a browser: ws-topics/examples/chat_page/build builds it");
}
