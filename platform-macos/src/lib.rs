//! What macos gives to the engine.
