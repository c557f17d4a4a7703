using System.Collections;
using System.Reflection;
using PureHDF.VOL.Native;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>
/// Sees to it that what a file names is in the file itself: PureHDF follows links into other files without a word, where no guard is.
/// It does not show its links either, so their messages are read where it keeps them; a test notices if they move.
/// </summary>
internal static class RootLinks
{
    private const BindingFlags Inside = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    /// <exception cref="InvalidDataException">The root group has a link that is no plain one, or more than can be listed plainly.</exception>
    public static void Check(NativeFile file)
    {
        var messages = (IEnumerable)Value(Value(file, "Header"), "HeaderMessages");
        foreach (var message in messages)
        {
            var data = Value(message, "Data");
            if (data.GetType().Name == "LinkMessage" && Value(data, "LinkType").ToString() != "Hard")
                throw new InvalidDataException($"its {Value(data, "LinkName")} is a link to somewhere else; give the file that has the data");
            if (data.GetType().Name == "LinkInfoMessage" && (ulong)Value(data, "BTree2NameIndexAddress") != ulong.MaxValue)
                throw new InvalidDataException("it has so many datasets that their names are in an index; GenSLM's files have five");
        }
    }

    private static object Value(object owner, string property)
    {
        for (var type = owner.GetType(); type is not null; type = type.BaseType)
            if (type.GetProperty(property, Inside | BindingFlags.DeclaredOnly) is { } found) return found.GetValue(owner)!;
        throw new MissingMemberException(owner.GetType().FullName, property);
    }
}
