"""Languages that animals speak: sounds a body can make, words with one meaning, a grammar whose
phrases can be read back.

Nothing here needs more than the standard library. Read it in this order: voices, phonology,
concepts, lexicon, typology, morphology, grammar, intents, speaker.
"""
