namespace DynaTrans.Devices;

/// <summary>An interrupt that several sources share: it is asserted while any of them is (a wired OR). It has no state but that of its sources.</summary>
/// <param name="changed">Called with the new level when the interrupt is asserted by the first and released by the last of its sources.</param>
public sealed class SharedInterrupt(Action<bool> changed)
{
    private readonly List<InterruptLine> _sources = [];

    /// <summary>True while a source is asserted.</summary>
    public bool Level
    {
        get
        {
            foreach (var source in _sources)
                if (source.Level)
                    return true;
            return false;
        }
    }

    /// <summary>Makes a line for one more source.</summary>
    public InterruptLine AddSource()
    {
        InterruptLine? own = null;
        own = new InterruptLine(level => SourceChanged(own!, level));
        _sources.Add(own);
        return own;
    }

    private void SourceChanged(InterruptLine changedSource, bool level)
    {
        foreach (var source in _sources)
            if (source != changedSource && source.Level)
                return;
        changed(level);
    }
}
