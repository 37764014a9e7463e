#[path = "../../../tests/editions.rs"]
mod editions;
