"""What ``import jungle`` hands out: thin functions on top of the layers below.

models.py       pictures and calls from a trained model, step by step if wanted; mastering
training.py     training and evaluation on a folder of photos or recordings
languages.py    the language of a creature
cards.py        a whole postcard: picture, call, phrases, and the files of its folder

Nothing here prints, reads the working folder or knows the command line; every error that a caller
can mend is a :class:`jungle.JungleError` whose sentence names arguments, not flags.
"""
