using DynaTrans.Cli.Commands;

return CommandLine.Run(args);
