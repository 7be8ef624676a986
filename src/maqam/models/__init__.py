"""Audio LLMs behind one seam: where the encoder, the aligner and the LLM are."""
