mod harden;
mod hostile;
mod results;
mod violations;
