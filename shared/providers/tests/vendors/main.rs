//! Every vendor client against a server that speaks the vendor's format.

mod anthropic;
mod chat_completions;
mod documented;
mod failures;
mod garbage;
mod gemini;
mod ollama;
mod openai;
mod support;
mod voyageai;
