"""The stand-ins for Juju and MongoDB on the lab's nodes: what several of the programs in ../bin share."""
