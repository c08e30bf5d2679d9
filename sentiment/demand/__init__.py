"""Collective demands: which posts voice one need, what it is called, and when it is proposed."""
