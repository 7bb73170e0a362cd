namespace DynaTrans.IlBackend.Emission;

/// <summary>What an emitted region includes besides the guest's semantics.</summary>
/// <param name="CountInstructions">Add executed instructions to the state's counter.</param>
/// <param name="Alone">
/// The region is one block to be executed once: direct exits return to the dispatcher instead of jumping on.
/// </param>
/// <param name="WindowPages">Pages in the address space's window, a constant in the code; 0 reads it from the state.</param>
/// <param name="HeatCounter">
/// Host address of a 64-bit counter that executed instructions are added to as well, when they are counted; 0 for none.
/// </param>
/// <param name="PermissionsOffset">
/// <see cref="Runtime.Memory.AddressSpace.PermissionsOffset"/>, a constant in the code; 0 reads the table's address from the state.
/// </param>
/// <param name="IsEntered">The code is entered through cells: not a block by itself, not a listing.</param>
/// <param name="Access">How it finds guest memory in the host.</param>
/// <param name="Windows">
/// <see cref="Runtime.Memory.AddressSpace.Windows"/>, whose entries become constants in the code; 0 reads them where the state says.
/// </param>
/// <param name="IsPaged">Linear addresses are translated by a paging unit: entries look whether the pages of the code are still the same.</param>
public readonly record struct EmitOptions(
    bool CountInstructions = false, bool Alone = false, ulong WindowPages = 0, nint HeatCounter = 0, int PermissionsOffset = 0,
    bool IsEntered = false, AccessForm Access = AccessForm.Window, nint Windows = 0, bool IsPaged = false)
{
    /// <summary>The code is entered through cells, again and again, and jumps on through cells.</summary>
    public bool IsLinked => IsEntered && !Alone;
}
