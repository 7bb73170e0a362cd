namespace DynaTrans.Devices;

/// <summary>A wire with one level: an interrupt request, a gate, a reset. Who listens is told of changes only.</summary>
/// <param name="changed">Called with the new level after each change.</param>
public sealed class InterruptLine(Action<bool> changed)
{
    /// <summary>True while the line is asserted.</summary>
    public bool Level { get; private set; }

    /// <summary>Asserts or releases the line.</summary>
    public void Set(bool level)
    {
        if (Level == level)
            return;
        Level = level;
        changed(level);
    }

    /// <summary>Releases the line if it is asserted, asserts and releases it: one edge for who looks at edges.</summary>
    public void Pulse()
    {
        Set(false);
        Set(true);
        Set(false);
    }

    /// <summary>
    /// Takes over a level from a state record without telling who listens: its own record says what it made of the line.
    /// </summary>
    public void Restore(bool level) => Level = level;
}
