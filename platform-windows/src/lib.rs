//! What windows gives to the engine.
