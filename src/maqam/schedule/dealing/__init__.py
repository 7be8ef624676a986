"""From shares to utterances: whole numbers by quota, then which utterances by lottery.

There is one law of each, kept in several ways that differ in what they can be asked and in speed:

* A deck deals a cell in the order of `deck.keys`, an epoch after the other. `by_cost.Decks` is the
  plain way, an utterance at a time; `deck.draw` deals whole plans at once; `picking.WaitingDecks`
  lets utterances be looked at and left waiting.
* A quota keeps each child of a node within one utterance of its part. `by_cost.CostQuota` is the
  plain way, an utterance of any cost at a time; `quota.Quota` splits whole batches of rows.

The tests of this package hold the fast ways to the plain ones.
"""
