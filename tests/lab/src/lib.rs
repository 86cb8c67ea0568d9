//! The test bench: real instances, a reference-shaped project and clients that record every request.
