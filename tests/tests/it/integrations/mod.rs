//! What is installed, and what can be. How it gets there belongs in `setup`, how it goes in `revocations`.

mod listing;
