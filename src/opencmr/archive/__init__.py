"""Between opencmr and the hospital's archive: what is received, kept, analysed and sent back."""
