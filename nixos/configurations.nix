# The machines that are released as images: the module with nothing but its defaults.
{ machine }:
{
  rpi4 = machine { board = "rpi4"; };
  rpi5 = machine { board = "rpi5"; };
  vm = machine { board = "vm"; };
  # The same machine for a computer with an Arm processor.
  vm-aarch64 = machine {
    board = "vm";
    system = "aarch64-linux";
  };
}
