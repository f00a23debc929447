"""Tables of halos: the columns of a file or an object, whatever they are called.

- `quantities`, `names`, `units`: the map from columns to quantities, as the user states it or as
  the names tell, and the units.
- `plan`: what to read; all that nobody states is asked for in one message.
- `formats`: the table in a file, by its first bytes, and a table in memory; each is a
  `table.Table`.
- `halos`, `reader`: from a table and a plan to a scene.

A format that is a table with fixed names is one module in `known/`, with a class of
`declared.Declared`: its columns with their units in the words of ``--columns``, how it is
recognised, and where it states the facts of its run. It is registered as a reader of its own.
"""
