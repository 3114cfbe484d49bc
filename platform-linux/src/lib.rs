//! What linux gives to the engine.
