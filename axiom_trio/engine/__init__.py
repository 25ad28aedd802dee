"""The nursery tree: aggregator, supervision of a child, merger, subscriptions."""
