#![no_main]

// The reader of Parquet files catches the panics of the decoder below it; only one that leaves it is a find. Each of the
// others would otherwise end the process as well.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |bytes: &[u8]| fuzz::run("dataset", bytes));
