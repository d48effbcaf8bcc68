//! Every vendor client against a server that speaks the vendor's format.

mod anthropic;
mod failures;
mod garbage;
mod ollama;
mod openai;
mod support;
mod voyageai;
