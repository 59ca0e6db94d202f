//! Pages read without arrow must give the cells that arrow gives.

mod against_arrow;
mod cells;
mod files;
mod hostile;
