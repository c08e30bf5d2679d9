"""How bundles are made. Needs the extra `train`; serving never comes here.

`recipe` is what to make, `sources` reads texts and labels, `fitting` turns them into heads,
`vectors` makes n-gram vectors, `writing` puts a folder together, `making` runs it all.
"""
