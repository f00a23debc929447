"""Where tables are: files of each format, known by their first bytes, and objects in memory.

A format gives tables (`mockgal.readers.tables.table.Table`), and reads the columns that are asked
for, in pieces; `files` finds the format of a file.
"""
