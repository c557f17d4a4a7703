// simulate [--records N] [--codons N] [--seed N] [--output FILE]: writes simulated coding sequences as FASTA.

using System.Globalization;
using GenSlmOrleans.Simulate;

int records = 200, codons = 567;
ulong seed = 1968;
string? output = null;
for (int i = 0; i < args.Length; i += 2)
{
    var value = i + 1 < args.Length ? args[i + 1] : "";
    bool known = args[i] switch
    {
        "--records" => int.TryParse(value, CultureInfo.InvariantCulture, out records) && records > 0,
        "--codons" => int.TryParse(value, CultureInfo.InvariantCulture, out codons) && codons > 2,
        "--seed" => ulong.TryParse(value, CultureInfo.InvariantCulture, out seed),
        "--output" => (output = value).Length > 0,
        _ => false,
    };
    if (known) continue;
    Console.Error.WriteLine($"'{args[i]} {value}' is not understood; usage: simulate [--records N] [--codons N] [--seed N] [--output FILE]");
    return 2;
}

var fasta = CodonEvolution.Fasta(records, codons, seed);
if (output is null) Console.Out.Write(fasta);
else File.WriteAllText(output, fasta);
return 0;
