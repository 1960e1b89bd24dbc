//! Plugins as libraries: which are loaded, where they run, and what a bad one can do. What a good
//! one does belongs in `providers`; what its author runs, in `author`.

mod accepted_libraries;
mod bounds;
mod confinement;
mod hostile_constructor;
mod hostile_in_process;
mod hostile_in_worker;
mod hostile_together;
mod loading;
mod misbehaving;
mod mutations;
mod ownership;
mod provenance;
mod provenance_app;
mod reload;
mod sandbox;
mod signatures;
