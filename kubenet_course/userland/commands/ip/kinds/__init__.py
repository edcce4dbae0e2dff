"""iproute2's side of each device kind: one file a kind (iplink_KIND.c), named like the kind.

    parse(words, session) -> dict      the arguments after ``type KIND``, as attributes for the kind's `newlink` or
                                       `changelink`; reads `words` to the end or raises Quit (see `unknown` in
                                       `_options.py`)
    show(info) -> str                  the text of ``ip -d link`` after the kind's name, from the kind's `info()`;
                                       empty, or each word followed by a blank

`info()` itself is the JSON of ``ip -d -j link`` (info_data). A kind without a file takes no options and shows none.
"""
