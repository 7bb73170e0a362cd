namespace DynaTrans.Benchmarks;

/// <summary>Who executes a guest loop.</summary>
public enum Executor
{
    /// <summary>The interpreter.</summary>
    Interpreter,

    /// <summary>Translated regions, compiled before the measurement begins.</summary>
    Translator,
}
