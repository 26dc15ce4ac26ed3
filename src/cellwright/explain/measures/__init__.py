"""What a network does when it runs: spreads, twins, reach, a step of descent.

`facts` says what there is to measure, `measuring` does it, `words` puts it in lines.
"""
