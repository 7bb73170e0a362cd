// Native code runs at fixed addresses of this process: two tests at once would overwrite each other's code.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
