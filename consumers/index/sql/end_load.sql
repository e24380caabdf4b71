update shadow set loaded = true
