using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The x87 family of helpers.</summary>
internal static class X87Helpers
{
    /// <summary>Enters all of them into <see cref="HelperTable"/>.</summary>
    public static void RegisterHelpers()
    {
        X87ArithmeticHelpers<X87Add>.RegisterHelpers(HelperId.X87AddTop);
        X87ArithmeticHelpers<X87Multiply>.RegisterHelpers(HelperId.X87MultiplyTop);
        X87ArithmeticHelpers<X87Subtract>.RegisterHelpers(HelperId.X87SubtractTop);
        X87ArithmeticHelpers<X87SubtractReverse>.RegisterHelpers(HelperId.X87SubtractReverseTop);
        X87ArithmeticHelpers<X87Divide>.RegisterHelpers(HelperId.X87DivideTop);
        X87ArithmeticHelpers<X87DivideReverse>.RegisterHelpers(HelperId.X87DivideReverseTop);
        X87LoadHelpers.RegisterHelpers();
        X87StoreHelpers.RegisterHelpers();
        X87CompareHelpers.RegisterHelpers();
        X87UnaryHelpers.RegisterHelpers();
        X87ControlHelpers.RegisterHelpers();
        FxState.RegisterHelpers();
    }
}
