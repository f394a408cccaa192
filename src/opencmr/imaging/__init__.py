"""The types that flow from room to room: frozen dataclasses over arrays.

A constructed object is a valid object.  Arrays are always ``(T, Z, Y, X)``: cardiac phase,
slice, row, column.
"""
