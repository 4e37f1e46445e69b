"""Makes training sets of what was downloaded, filmed or drawn: crops, masks and annotations as PySOT has them."""
